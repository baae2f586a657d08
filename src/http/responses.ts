import { type Static, type TSchema, type TUnsafe, Type } from 'typebox';

/**
 * A response with a description and headers. `@fastify/swagger` reads both from beside the schema; the serializer and the
 * types see the schema alone.
 */
export const withHeaders = <T extends TSchema>(
  description: string,
  schema: T,
  headers: Record<string, TSchema>,
): TUnsafe<Static<T>> => Type.Unsafe<Static<T>>({ ...schema, description, headers });
