/** What went wrong with a file, as an error that names the file, the reason and the remedy. */
import { OptimizerError } from "../../errors.js";

const KNOWN: Readonly<Record<string, { code: string; reason: string; remedy: string }>> = {
  ENOSPC: {
    code: "STORE_FULL",
    reason: "the disk is full",
    remedy: "Free some space; what waits is stored then.",
  },
  EDQUOT: {
    code: "STORE_FULL",
    reason: "the disk quota is used up",
    remedy: "Free some space; what waits is stored then.",
  },
  EROFS: {
    code: "STORE_READ_ONLY",
    reason: "the file system is read-only",
    remedy: "Mount it writable or choose another folder.",
  },
  EACCES: {
    code: "STORE_READ_ONLY",
    reason: "permission is denied",
    remedy: "Give this user the right to write, or choose another folder.",
  },
  EPERM: {
    code: "STORE_READ_ONLY",
    reason: "permission is denied",
    remedy: "Give this user the right to write, or choose another folder.",
  },
};

/** The error code of Node for a failed file operation, e.g. `ENOENT`. */
export function fileErrorCode(error: unknown): string | undefined {
  if (typeof error !== "object" || error === null || !("code" in error)) return undefined;
  return typeof error.code === "string" ? error.code : undefined;
}

/** @example writeFailure("/store/rules.json", enospc).code // "STORE_FULL" */
export function writeFailure(path: string, cause: unknown): OptimizerError {
  if (OptimizerError.isInstance(cause)) return cause;
  const code = fileErrorCode(cause);
  const known = code === undefined ? undefined : KNOWN[code];
  return new OptimizerError({
    code: known?.code ?? "STORE_WRITE_FAILED",
    message: `${path} cannot be written: ${known?.reason ?? code ?? "unknown reason"}`,
    remedy: known?.remedy ?? "Look at the disk; what waits is tried again.",
    cause,
  });
}

/** @example readFailure("/store", eisdir).code // "STORE_READ_FAILED" */
export function readFailure(path: string, cause: unknown): OptimizerError {
  if (OptimizerError.isInstance(cause)) return cause;
  const where = typeof cause === "object" && cause !== null && "path" in cause ? cause.path : undefined;
  return new OptimizerError({
    code: "STORE_READ_FAILED",
    message: `${typeof where === "string" ? where : path} cannot be read: ${fileErrorCode(cause) ?? "unknown reason"}`,
    remedy:
      "Look at that file or folder; if it was removed or replaced, put it back or choose another folder.",
    cause,
  });
}
