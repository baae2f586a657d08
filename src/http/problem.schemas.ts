import { type TUnsafe, Type } from 'typebox';
import { problems } from './problem.ts';

/** RFC 9457, with `code`, `request_id` and `errors` as extension members. Registered once; routes refer to it by `answers`. */
export const ProblemBody = Type.Object(
  {
    type: Type.String({ description: 'The code as a relative reference.' }),
    title: Type.String(),
    status: Type.Integer(),
    detail: Type.String({ description: 'What is wrong, for a person: the field, the limit and the value.' }),
    code: Type.String({ description: 'Stable.', enum: Object.keys(problems) }),
    request_id: Type.String({ description: 'The same as in the header X-Request-Id and in the log.' }),
    errors: Type.Optional(
      Type.Array(Type.Object({ path: Type.String(), message: Type.String() }), { description: 'Each thing that is wrong.' }),
    ),
    free: Type.Optional(
      Type.Number({ description: 'Of `group_full`: the percentage that nobody holds or has reserved from then on.' }),
    ),
    holders: Type.Optional(
      Type.Array(Type.Object({ slug: Type.String(), percent: Type.Number() }), {
        description: 'Of `group_full`: what the segments of the group hold or have reserved from that moment on.',
      }),
    ),
    conflicts: Type.Optional(Type.Array(Type.String(), { description: 'Of `group_conflict`: the segments in the way.' })),
  },
  { $id: 'Problem', title: 'Problem' },
);

/** A failure that a route documents, with the codes that may come. */
export const answers = (...codes: (keyof typeof problems)[]): TUnsafe<never> =>
  Type.Unsafe<never>({
    description: codes.map((code) => `${problems[code][1]}: \`${code}\``).join('; '),
    content: { 'application/problem+json': { schema: { $ref: 'Problem#' } } },
  });
