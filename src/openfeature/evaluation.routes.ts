import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Type } from 'typebox';
import { beginAnswer } from '../http/answer-problem.ts';
import { parseJson } from '../http/body.ts';
import type { FastRoute } from '../http/fast-path.ts';
import { type LinkOptions, originOf } from '../http/links.ts';
import { withHeaders } from '../http/responses.ts';
import type { FactsNow } from '../reading/reader.ts';
import { ageHeader, ageSeconds } from '../reading/reading.schemas.ts';
import type { Freshness, ReadingService } from '../reading/reading.service.ts';
import type { Moment } from '../timeline/facts.ts';
import { etagOf, isNamedBy } from './etag.ts';
import { evaluate, evaluateAll } from './evaluation.ts';
import { BulkQuery, bulkFailures, EvaluationBody, EvaluationsBody, QuestionBody, singleFailures } from './evaluation.schemas.ts';
import { EvaluationFailure } from './failure.ts';
import { modifiedAt, userOf } from './question.ts';
import { signStreamLink } from './stream-link.ts';

const tags = ['OpenFeature'];
const config = { scope: 'evaluate', takesApiKey: true } as const;

/** Where both routes are; a flag's key stands behind it. */
const flagsPath = '/ofrep/v1/evaluate/flags';

const urlOfFlag = /^\/ofrep\/v1\/evaluate\/flags\/([^/?]*)(?:\?|$)/;

/** Whether an address is that of a flag, also where its key cannot be decoded. */
export const isOfFlag = (url: string): boolean => urlOfFlag.test(url);

const json = 'application/json; charset=utf-8';

/** With a key that needs no decoding, as no slug does. */
const plainUrl = /^\/ofrep\/v1\/evaluate\/flags\/([A-Za-z0-9_.-]{1,128})$/;

/** The question about one flag in its plainest form, for the fast path. */
export const fastEvaluation = (reading: ReadingService): FastRoute => ({
  method: 'POST',
  route: `${flagsPath}/:key`,
  ...config,
  isFor: (url) => plainUrl.test(url),
  answer(url, onlyHeld, body) {
    const userId = userOf(parseJson(body));
    const found = onlyHeld ? reading.heldFactsOf(userId) : reading.factsOf(userId, {});
    if (!found) return undefined;
    const present = (one: FactsNow) => {
      return { body: evaluationText(one, url.slice(flagsPath.length + 1)), age: ageSeconds(one.ageMs) };
    };
    return found instanceof Promise ? found.then((one) => present(one!)) : present(found);
  },
});

/** OpenFeature Remote Evaluation Protocol (OFREP) 0.3.0, https://github.com/open-feature/protocol: a segment is a boolean flag. */
export function evaluationRoutes(
  reading: ReadingService,
  links: LinkOptions,
  now: () => Promise<Moment>,
): FastifyPluginAsyncTypebox {
  const streamOf = async (request: FastifyRequest, userId: string) => {
    const link = { keyName: request.key!.name, userId };
    const token = signStreamLink(links.secret, link, await now(), links.ttlSeconds * 1000);
    return `${originOf(request, links)}/ofrep/v1/streams/${token}`;
  };

  return async (app) => {
    app.setErrorHandler(answerFailure);
    // What may be sent is for the protocol to say; `userOf` says what is needed.
    app.setValidatorCompiler(() => (value: unknown) => ({ value }));

    app.post(
      `${flagsPath}/:key`,
      {
        config,
        schema: {
          operationId: 'evaluateFlag',
          summary: 'Whether a user is in a segment, for OpenFeature',
          description: 'For providers in servers, which ask anew each time. Answered as a default read of the user is.',
          tags,
          params: Type.Object({ key: Type.String({ description: 'The slug.', examples: ['AVITO_VOICE_MESSAGES'] }) }),
          body: QuestionBody,
          response: { 200: withHeaders('Whether the user is in', EvaluationBody, ageHeader), ...singleFailures },
        },
      },
      (request, reply) => {
        const userId = userOf(request.body);
        const answer = (found: FactsNow) => {
          void reply.type(json).header('age', ageSeconds(found.ageMs));
          return evaluationText(found, request.params.key) as never;
        };
        const found = reading.factsOf(userId, {});
        return found instanceof Promise ? found.then(answer) : answer(found); // at once where it is in memory
      },
    );

    app.post(
      flagsPath,
      {
        config,
        schema: {
          operationId: 'evaluateFlags',
          summary: 'In which segments a user is, for OpenFeature',
          description:
            'For providers in browsers, which ask once and again when the stream in `eventStreams` says so. All segments, those that the user is not in too. With `If-None-Match` 304 where nothing of it changed.',
          tags,
          headers: Type.Object({ 'if-none-match': Type.Optional(Type.String({ description: 'An `ETag` from before.' })) }),
          querystring: BulkQuery,
          body: QuestionBody,
          response: {
            200: withHeaders('All segments', EvaluationsBody, {
              etag: Type.String({ description: 'Of the body.' }),
              ...ageHeader,
            }),
            304: Type.Null({ description: 'It is still so' }),
            ...bulkFailures,
          },
        },
      },
      async (request, reply) => {
        const userId = userOf(request.body);
        const { facts, now: moment, ageMs } = await factsSince(userId, modifiedAt(request.query.flagConfigLastModified));
        const url = await streamOf(request, userId);
        const body = JSON.stringify({ flags: evaluateAll(facts, moment), eventStreams: [{ type: 'sse', url }] });
        const etag = etagOf(body);
        void reply.headers({ etag, age: ageSeconds(ageMs) });
        if (isNamedBy(etag, request.headers['if-none-match'])) return reply.code(304).send(null);
        return reply.type(json).send(body as never);
      },
    );
  };

  /** No older than the moment. One that is not known to have passed is asked about in the database, which is current. */
  async function factsSince(userId: string, moment: Moment | undefined): Promise<FactsNow> {
    const freshness = (present: Moment): Freshness => {
      if (moment === undefined) return {};
      return moment <= present ? { minRevision: moment * 1000 } : { lastRevision: true };
    };
    return reading.factsOf(userId, freshness(await now()));
  }
}

/** The answer about one segment. Throws `FLAG_NOT_FOUND`. */
export function evaluationText({ facts, now }: FactsNow, key: string): string {
  const evaluation = evaluate(facts, key, now);
  if (!evaluation) throw new EvaluationFailure('FLAG_NOT_FOUND', `There is no segment ${key.slice(0, 128)}.`);
  return JSON.stringify(evaluation);
}

/** Answers any thrown error in the form of the protocol. What is not for the caller to know is logged and masked as elsewhere. */
export function answerFailure(error: unknown, request: FastifyRequest, reply: FastifyReply) {
  const failure = error instanceof EvaluationFailure ? error : undefined;
  const { message } = failure ?? beginAnswer(error, request, reply);
  if (failure) void reply.code(failure.status);
  const isInvalid = reply.statusCode === 400 || reply.statusCode === 404;
  const key = keyOf(request);
  return reply
    .type(json)
    .serializer((body: unknown) => JSON.stringify(body))
    .send({
      ...(isInvalid && key !== undefined ? { key } : {}),
      ...(isInvalid ? { errorCode: failure?.code ?? 'PARSE_ERROR' } : {}),
      errorDetails: message,
    });
}

/** Of the flag that is asked about; as it was sent where it could not be decoded. */
function keyOf({ params, url }: FastifyRequest): string | undefined {
  const { key } = (params ?? {}) as { key?: string };
  return key ?? urlOfFlag.exec(url)?.[1];
}
