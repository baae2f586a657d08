/** Why a question is not answered, in OpenFeature's words (https://openfeature.dev/specification/types#error-code). */
export type ErrorCode = 'PARSE_ERROR' | 'INVALID_CONTEXT' | 'TARGETING_KEY_MISSING' | 'FLAG_NOT_FOUND';

/** A question that cannot be answered as it was asked. `message` is written for whoever asked. */
export class EvaluationFailure extends Error {
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string) {
    super(message);
    this.code = code;
  }

  get status(): 400 | 404 {
    return this.code === 'FLAG_NOT_FOUND' ? 404 : 400;
  }
}
