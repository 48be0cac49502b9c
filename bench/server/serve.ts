/** The `serve` command without the choosing of a command around it, which reads the package's own package.json. */
import { serve } from "../../src/cli/serve.js";

const stopping = new AbortController();
process.once("SIGTERM", () => stopping.abort());
process.exitCode = await serve(process.argv.slice(2), {
  environment: {},
  out: process.stdout,
  err: process.stderr,
  signal: stopping.signal,
});
