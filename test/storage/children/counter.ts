/** Writes a fixed number of requests and template updates: FOLDER NAME REQUESTS TEMPLATES. Prints "done". */
import { openJsonStore } from "../../../src/storage/json/openJsonStore.ts";
import { request, template } from "../../contract/records.ts";

/** Writes that wait at the same time, as in a busy server. */
const AT_ONCE = 64;

const [folder = "", name = "", requests = "0", templates = "0"] = process.argv.slice(2);
const store = openJsonStore(folder);

async function inLanes(count: number, work: (index: number) => Promise<void>): Promise<void> {
  let next = 0;
  await Promise.all(
    Array.from({ length: AT_ONCE }, async () => {
      for (let index = next++; index < count; index = next++) await work(index);
    }),
  );
}
await Promise.all([
  inLanes(Number(requests), (index) => store.append(request(`${name}-${index}`))),
  inLanes(Number(templates), (index) => store.merge("templates", template(`t${index % 100}`, index))),
]);
await store.close();
process.stdout.write("done");
