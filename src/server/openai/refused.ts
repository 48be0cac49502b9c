/** What OpenAI's API says to a request that it does not take. */

/**
 * A request of the OpenAI surface that is refused. Answered by its route, seen by no other code.
 *
 * Message, code and parameter are worded as OpenAI words them: clients and people look them up.
 */
export class Refused extends Error {
  override name = "Refused";

  constructor(
    message: string,
    /** e.g. `invalid_type`; null where OpenAI gives none. */
    readonly code: string | null,
    /** Path of the field, e.g. `messages[0].content`. */
    readonly param: string | null,
    readonly status: number = 400,
  ) {
    super(message);
  }
}

/** A field that OpenAI knows and no Ollama model can do. */
export function unsupported(param: string, why: string): Refused {
  return new Refused(`Unsupported parameter: '${param}'. ${why}`, "unsupported_parameter", param);
}

/** A value that OpenAI knows and no Ollama model can do. */
export function unsupportedValue(param: string, why: string): Refused {
  return new Refused(`Unsupported value: '${param}'. ${why}`, "unsupported_value", param);
}

/** A list that needs an entry. */
export function emptyArray(param: string): Refused {
  return new Refused(
    `Invalid '${param}': empty array. Expected an array with minimum length 1, but got an empty array instead.`,
    "empty_array",
    param,
  );
}

/** A value that OpenAI refuses too. */
export function invalidValue(param: string, why: string): Refused {
  return new Refused(`Invalid '${param}': ${why}`, "invalid_value", param);
}
