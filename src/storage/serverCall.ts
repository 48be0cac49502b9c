/** A call to a store's server: bounded in time, and with an error that says what to do. */
import { OptimizerError } from "../errors.js";

/** What a server's script says when the store has another version by now. */
export const MIGRATED = "STORE_MIGRATED";

/** How long one call may take, in milliseconds. */
export const CALL_MS = 10_000;

/**
 * The result of a call, or `STORE_UNREACHABLE`. A call that was given up may still be carried out later; drivers
 * number what they send, so that a repetition does nothing.
 *
 * @throws OptimizerError `STORE_UNREACHABLE`
 */
export async function callServer<T>(location: string, call: () => Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(unreachable(location, `no answer in ${CALL_MS} ms`)), CALL_MS);
  });
  try {
    return await Promise.race([call(), timeout]);
  } catch (error) {
    if (OptimizerError.isInstance(error)) throw error;
    if (error instanceof Error && error.message.includes(MIGRATED)) throw migrated(location);
    throw unreachable(location, error instanceof Error ? error.message || error.name : String(error));
  } finally {
    clearTimeout(timer);
  }
}

function migrated(location: string): OptimizerError {
  return new OptimizerError({
    code: "STORE_MIGRATED",
    message: `${location} is being or was carried to another schema version by another program`,
    remedy: "Restart this program with the newer package.",
  });
}

/** Without the client's error as its cause: that holds the command and its parameters, and may be logged. */
function unreachable(location: string, reason: string): OptimizerError {
  return new OptimizerError({
    code: "STORE_UNREACHABLE",
    message: `${location} cannot be used: ${reason}`,
    remedy: "Start the server or check the client's address; what waits is tried again.",
  });
}

/** Work that must succeed once before anything else; a failed attempt is repeated by the next caller. */
export function onceDone(work: () => Promise<void>): () => Promise<void> {
  let done: Promise<void> | null = null;
  return () => {
    done ??= work().catch((error: unknown) => {
      done = null;
      throw error;
    });
    return done;
  };
}
