import { join } from "node:path";
import { expect, it } from "vitest";
import { buildChildren, ended } from "./childProcess.ts";
import { temporaryFolders } from "./temporaryFolder.ts";

const folders = temporaryFolders();
const PROCESSES = 8;
const REQUESTS = 10_000;
const TEMPLATE_UPDATES = 1_000;

it("loses nothing and counts exactly when 8 processes append 10,000 requests and update templates 1,000 times each", {
  timeout: 180_000,
}, async () => {
  const folder = join(await folders.make(), "store");
  const children = buildChildren();
  try {
    const running = Array.from({ length: PROCESSES }, (_, index) =>
      ended(children.start("counter", folder, `p${index}`, String(REQUESTS), String(TEMPLATE_UPDATES))),
    );
    for (const { output, errors } of await Promise.all(running)) {
      expect(errors).toBe("");
      expect(output).toBe("done");
    }
  } finally {
    children.remove();
  }
  const store = folders.open(folder);
  await store.ready();
  const ids = new Set<string>();
  let count = 0;
  for await (const { id } of store.requests()) {
    ids.add(id);
    count++;
  }
  expect([count, ids.size]).toEqual([PROCESSES * REQUESTS, PROCESSES * REQUESTS]);
  const updates = [...store.list("templates")].map(({ counts }) => counts.observations);
  expect(updates).toEqual(Array.from({ length: 100 }, () => (PROCESSES * TEMPLATE_UPDATES) / 100));
  expect(folders.warnings).toEqual([]);
});
