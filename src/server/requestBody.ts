/** Reads a request's body up to a limit. */
import { OptimizerError } from "../errors.js";

/**
 * @param limit bytes
 * @throws OptimizerError `BODY_TOO_LARGE` as soon as the limit is passed, or announced to be
 */
export async function readRequestBody(request: Request, limit: number): Promise<Uint8Array> {
  if (Number(request.headers.get("content-length") ?? 0) > limit) throw tooLarge(limit);
  const parts: Uint8Array[] = [];
  let bytes = 0;
  if (request.body) {
    // Leaving the loop early cancels the body.
    for await (const part of request.body as unknown as AsyncIterable<Uint8Array>) {
      bytes += part.byteLength;
      if (bytes > limit) throw tooLarge(limit);
      parts.push(part);
    }
  }
  return Buffer.concat(parts);
}

function tooLarge(limit: number): OptimizerError {
  return new OptimizerError({
    code: "BODY_TOO_LARGE",
    message: `The request is larger than ${limit} bytes`,
    remedy: "Send less, or start the server with a larger body limit.",
  });
}
