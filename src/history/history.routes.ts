import type { Readable } from 'node:stream';
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { FastifyRequest } from 'fastify';
import { Type } from 'typebox';
import type { AtOnce } from '../http/at-once.ts';
import { momentText, MomentText, Slug, toMoment, UserId } from '../http/common.schemas.ts';
import { csvFile } from '../http/csv-file.ts';
import { cursorsOf, notACursor } from '../http/cursor.ts';
import { type LinkOptions, originOf } from '../http/links.ts';
import { answers } from '../http/problem.schemas.ts';
import { invalid, Problem } from '../http/problem.ts';
import type { Moment } from '../timeline/facts.ts';
import { HistoryBody, LinkBody, linkParameters, type LinkQuery, Month, presentEvent, TimeZone } from './history.schemas.ts';
import type { HistoryService } from './history.service.ts';
import { readLink, type ReportSubject, signLink } from './link.ts';
import { isTimeZone, monthIn, type Period } from './month.ts';
import { reportHeader, reportLines, reportName, type UserEvents } from './report.ts';

const tags = ['History'];
const params = Type.Object({ user_id: UserId });
const cursors = cursorsOf('history', ['number', 'text', 'text', 'number']);

export function historyRoutes(
  history: HistoryService,
  links: LinkOptions,
  now: () => Promise<Moment>,
  /** The large files that are sent at a time, of whatever kind. */
  downloads: AtOnce,
): FastifyPluginAsyncTypebox {
  /** A link to a report of a month, given only where the report can be made. */
  const linkTo = async (request: FastifyRequest, subject: ReportSubject, query: LinkQuery) => {
    const { month, timezone: timeZone = 'UTC', spreadsheet: isForSpreadsheet = false } = query;
    const period = monthOf(month, timeZone);
    if (subject.kind === 'segment') await history.refuseUnknown(subject.slug);
    await history.refuseDropped(period);
    const expiresAt = (await now()) + links.ttlSeconds * 1000;
    const token = signLink(links.secret, { subject, month, timeZone, isForSpreadsheet }, expiresAt);
    return { url: `${originOf(request, links)}/v1/downloads/${token}`, expires_at: momentText(expiresAt) };
  };

  return async (app) => {
    app.get(
      '/v1/users/:user_id/history',
      {
        config: { scope: 'read' },
        schema: {
          operationId: 'readHistory',
          summary: "A user's entries and exits",
          description:
            'Of a month, or of a period from `from` (included) to `to` (not included). What has happened and is final, in time order.',
          tags,
          params,
          querystring: Type.Object(
            {
              month: Type.Optional(Month),
              timezone: Type.Optional({ ...TimeZone, default: undefined }),
              from: Type.Optional(MomentText),
              to: Type.Optional(MomentText),
              limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 10_000, default: 1_000 })),
              cursor: Type.Optional(Type.String({ maxLength: 2000, description: 'The `next_cursor` of the page before.' })),
            },
            { additionalProperties: false },
          ),
          response: {
            200: HistoryBody,
            410: answers('history_dropped'),
            503: answers('moment_not_settled', 'database_unavailable'),
          },
        },
      },
      async (request) => {
        const { user_id } = request.params;
        const { limit = 1_000, cursor } = request.query;
        const period = periodOf(request.query);
        const { events, to, hasMore } = await history.events(
          user_id,
          period,
          limit,
          cursor === undefined ? undefined : historyPosition(cursor),
        );
        const last = events.at(-1);
        return {
          user_id,
          from: momentText(period.from),
          to: momentText(to),
          events: events.map(presentEvent),
          next_cursor: last && hasMore ? cursors.at(last.at, last.operation, last.segment, to) : null,
        };
      },
    );

    app.get(
      '/v1/users/:user_id/report',
      {
        config: { scope: 'read' },
        schema: {
          operationId: 'linkReport',
          summary: "A link to a user's month as CSV",
          description: 'The link needs no key until it expires. The file is made when the link is followed.',
          tags,
          params,
          querystring: Type.Object(linkParameters, { additionalProperties: false }),
          response: { 200: LinkBody, 410: answers('history_dropped') },
        },
      },
      (request) => linkTo(request, { kind: 'user', userId: request.params.user_id }, request.query),
    );

    app.get(
      '/v1/reports/history',
      {
        config: { scope: 'read' },
        schema: {
          operationId: 'linkReportOfMany',
          summary: "A link to a month of all users, or of a segment's, as CSV",
          description:
            "Of all users known before the month's end, user by user in byte order. With `segment` the entries and exits of that slug, all its lives. The link needs no key until it expires; the file is made when the link is followed, and streams.",
          tags,
          querystring: Type.Object({ ...linkParameters, segment: Type.Optional(Slug) }, { additionalProperties: false }),
          response: { 200: LinkBody, 404: answers('segment_not_found'), 410: answers('history_dropped') },
        },
      },
      (request) => {
        const { segment, ...query } = request.query;
        return linkTo(request, segment === undefined ? { kind: 'all' } : { kind: 'segment', slug: segment }, query);
      },
    );

    app.get(
      '/v1/downloads/:token',
      {
        config: { scope: 'none' },
        schema: {
          operationId: 'downloadReport',
          summary: 'Follow a signed link',
          tags,
          params: Type.Object({ token: Type.String({ description: 'As a link carries it.' }) }),
          response: {
            200: Type.Unsafe<Readable>({
              description: '`user_id,segment,operation,at,cause`, a line an event, oldest first. RFC 4180 with CRLF.',
              content: { 'text/csv': { schema: { type: 'string' } } },
            }),
            403: answers('link_invalid'),
            410: answers('history_dropped'),
            503: answers('moment_not_settled', 'database_unavailable', 'overloaded'),
          },
        },
      },
      async (request, reply) => {
        const report = readLink(links.secret, request.params.token, await now());
        if (!report) throw new Problem('link_invalid', 'The link was changed, or has expired. Ask for a new one.');
        const { subject, month, timeZone, isForSpreadsheet } = report;
        const period = monthIn(month, timeZone);
        if (subject.kind !== 'user') downloads.enter(reply);
        const told =
          subject.kind === 'user'
            ? [{ userId: subject.userId, events: await history.report(subject.userId, period) }]
            : await history.reportOfMany(period, subject.kind === 'segment' ? subject.slug : undefined);
        void reply.header('cache-control', 'no-store');
        return csvFile(request, reply, reportName(subject, month), () => piecesOf(told, isForSpreadsheet));
      },
    );
  };
}

/** Characters that are sent at once: enough to be quick, few enough to let others run between. */
const pieceLength = 65_536;

/** Lines of one user that are made at once. */
const linesAtOnce = 1_000;

async function* piecesOf(
  told: Iterable<UserEvents> | AsyncIterable<UserEvents>,
  isForSpreadsheet: boolean,
): AsyncGenerator<string> {
  let piece = reportHeader;
  for await (const { userId, events } of told) {
    for (let i = 0; i < events.length; i += linesAtOnce) {
      piece += reportLines(userId, events.slice(i, i + linesAtOnce), isForSpreadsheet);
      if (piece.length < pieceLength) continue;
      yield piece;
      piece = '';
      await new Promise((resolve) => void setImmediate(resolve));
    }
  }
  yield piece;
}

interface PeriodQuery {
  month?: string;
  timezone?: string;
  from?: string;
  to?: string;
}

function periodOf({ month, timezone, from, to }: PeriodQuery): Period {
  if (month !== undefined) {
    if (from !== undefined || to !== undefined) throw invalid('month', 'cannot be given together with from or to.');
    return monthOf(month, timezone ?? 'UTC');
  }
  if (timezone !== undefined) throw invalid('timezone', 'bounds a month: it needs month.');
  if (from === undefined || to === undefined)
    throw invalid(from === undefined ? 'from' : 'to', 'is missing: give month, or from and to.');
  const period = { from: toMoment(from), to: toMoment(to) };
  if (period.from >= period.to) throw invalid('to', `must be after from; got ${to}.`);
  return period;
}

function monthOf(month: string, timeZone: string): Period {
  if (!isTimeZone(timeZone))
    throw invalid('timezone', `must be an IANA time zone such as Europe/Amsterdam; got ${JSON.stringify(timeZone)}.`);
  return monthIn(month, timeZone);
}

function historyPosition(cursor: string) {
  const [at, operation, segment, to] = cursors.read(cursor);
  if (operation !== 'add' && operation !== 'remove') throw notACursor(cursor);
  return { after: { at, operation, segment }, to } as const;
}
