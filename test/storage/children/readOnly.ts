/** Opens a store it may not write: FOLDER [USER]. Prints what happens, as JSON. */
import { OptimizerError } from "../../../src/errors.ts";
import { openDefaultStore } from "../../../src/storage/defaultStore.ts";
import { openJsonStore } from "../../../src/storage/json/openJsonStore.ts";
import { request, rule } from "../../contract/records.ts";

const [folder = "", user] = process.argv.slice(2);
// Root may write everything.
if (user !== undefined) process.setuid?.(Number(user));
const codeOf = (error: unknown) => (OptimizerError.isInstance(error) ? error.code : String(error));
const warnings: string[] = [];
const logger = { warn: (message: string) => warnings.push(message) };

const store = openJsonStore(`${folder}/store`, { logger });
await store.ready();
const read = [...store.list("rules")].length;
let requests = 0;
for await (const _ of store.requests()) requests++;
const merged = await store.merge("rules", rule("new")).catch(codeOf);
const appended = await store.append(request("new")).catch(codeOf);
const visible = store.get("rules", "new") !== undefined;
await store.close().catch(codeOf);

let made: unknown = "made";
try {
  openJsonStore(`${folder}/other`);
} catch (error) {
  made = codeOf(error);
}
const fallback = openDefaultStore({ logger }, { env: { XDG_STATE_HOME: folder } });
await fallback.merge("rules", rule("new"));
const text = JSON.stringify({
  read,
  requests,
  merged,
  appended,
  visible,
  made,
  fallback: fallback.location,
  warnings,
});
process.stdout.write(text);
