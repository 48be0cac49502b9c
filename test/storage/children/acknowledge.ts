/** Writes a few of everything: FOLDER. Prints "ACK what" with one system call once each is acknowledged. */
import { writeSync } from "node:fs";
import { openJsonStore } from "../../../src/storage/json/openJsonStore.ts";
import { request, rule, template } from "../../contract/records.ts";

const store = openJsonStore(process.argv[2] ?? "");
for (let index = 0; index < 5; index++) {
  await store.append(request(`REQUEST${index}`));
  writeSync(1, `ACK REQUEST${index}\n`);
  await store.merge("templates", template(`TEMPLATE${index}`));
  writeSync(1, `ACK TEMPLATE${index}\n`);
  await store.merge("rules", rule(`RULE${index}`));
  writeSync(1, `ACK RULE${index}\n`);
}
await store.close();
