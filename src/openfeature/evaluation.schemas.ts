import { type TSchema, type TUnsafe, Type } from 'typebox';
import { Slug, UserId } from '../http/common.schemas.ts';

export const QuestionBody = Type.Object(
  {
    context: Type.Object(
      { targetingKey: { ...UserId, description: 'The user id.' } },
      { additionalProperties: true, description: 'Besides the user id it may hold anything, which is not looked at.' },
    ),
  },
  { additionalProperties: true, examples: [{ context: { targetingKey: '1000', country: 'NL' } }] },
);

export const EvaluationBody = Type.Object({
  key: Slug,
  value: Type.Boolean({ description: 'Whether the user is in the segment.' }),
  reason: Type.Enum(['TARGETING_MATCH', 'SPLIT', 'STATIC'], {
    description:
      '`TARGETING_MATCH`: put in or kept out by hand; `SPLIT`: by a percentage, or kept from one by another segment of the group; `STATIC`: neither.',
  }),
  variant: Type.Enum(['in', 'out']),
  metadata: Type.Object({
    because: Type.Enum(['added', 'rollout', 'excluded', 'group_taken', 'not_in']),
    bucket: Type.Optional(
      Type.Integer({ minimum: 0, maximum: 9_999, description: "The user's, where the segment takes a percentage." }),
    ),
    until: Type.Optional(
      Type.String({ format: 'date-time', description: 'When time alone changes the value, as far as is known now.' }),
    ),
  }),
});

export const EvaluationsBody = Type.Object({
  flags: Type.Array(EvaluationBody, { description: 'All segments, by slug.' }),
  eventStreams: Type.Array(
    Type.Object({
      type: Type.Literal('sse'),
      url: Type.String({ format: 'uri', description: 'Needs no key. It says the same for as long as LINK_TTL_SECONDS.' }),
    }),
  ),
});

export const BulkQuery = Type.Object(
  {
    flagConfigEtag: Type.Optional(Type.String({ description: 'Of the event that led to the request; not looked at.' })),
    flagConfigLastModified: Type.Optional(
      Type.String({ description: 'Of the event that led to the request, in seconds or as RFC 3339: the answer is no older.' }),
    ),
  },
  { additionalProperties: true },
);

const errorDetails = Type.Optional(Type.String({ description: 'What is wrong, for a person.' }));
const invalid = Type.Enum(['PARSE_ERROR', 'TARGETING_KEY_MISSING', 'INVALID_CONTEXT']);

const GeneralFailure = Type.Object({ errorDetails });
const key = Type.String({ description: 'As the path has it.' });

const json = (description: string, schema: TSchema): TUnsafe<never> =>
  Type.Unsafe<never>({ description, content: { 'application/json': { schema } } });

/** Whatever is no request in HTTP is answered before it is known whose routes it meant. */
const orUnreadable = (description: string, schema: TSchema): TUnsafe<never> =>
  Type.Unsafe<never>({
    description,
    content: { 'application/json': { schema }, 'application/problem+json': { schema: { $ref: 'Problem#' } } },
  });

const general = {
  401: json('No key was sent, or it is not known, or was revoked', GeneralFailure),
  403: json('The key is not allowed to ask', GeneralFailure),
  413: json('The body is larger than 1 MiB', GeneralFailure),
  415: json('The body is not `application/json`', GeneralFailure),
  429: json('Too many requests; `Retry-After` tells when to ask again', GeneralFailure),
  500: json('Something failed on our side', GeneralFailure),
  503: json('It cannot be known now: nothing fresh enough is at hand, or there is too much to do', GeneralFailure),
};

/** How the protocol has failures: of one flag, of all. */
export const singleFailures = {
  ...general,
  400: orUnreadable('The request is not valid', Type.Object({ key, errorCode: invalid, errorDetails })),
  404: json('There is no such segment', Type.Object({ key, errorCode: Type.Literal('FLAG_NOT_FOUND'), errorDetails })),
};
export const bulkFailures = {
  ...general,
  400: orUnreadable('The request is not valid', Type.Object({ errorCode: invalid, errorDetails })),
};
