/**
 * Writes until it is killed: FOLDER NAME. Prints "+ r ID" or "+ t ID" before each write and "= ..." once it is
 * acknowledged, each with one system call, so that the parent knows it whenever the kill comes.
 */
import { writeSync } from "node:fs";
import { openJsonStore } from "../../../src/storage/json/openJsonStore.ts";
import { request, template } from "../../contract/records.ts";

const [folder = "", name = ""] = process.argv.slice(2);
// Folds and compacts as often as it can, so that kills hit these too.
const store = openJsonStore(folder, { pollMs: 10, foldMs: 15, compactBytes: 100_000, segmentBytes: 200_000 });
const say = (text: string) => writeSync(1, `${text}\n`);

async function write(what: string, work: () => Promise<unknown>): Promise<void> {
  say(`+ ${what}`);
  await work();
  say(`= ${what}`);
}

for (let index = 0; ; index++) {
  const id = `${name}-${index}`;
  const templateId = `template-${index % 20}`;
  await Promise.all([
    write(`r ${id}`, () => store.append(request(id))),
    write(`t ${templateId}`, () => store.merge("templates", template(templateId, index))),
    write("t shared", () =>
      store.merge("rules", { id: "shared", templateId: "t", counts: { success: 1, total: 1 } }),
    ),
  ]);
}
