/** Stores 2,000 times under 200 keys of its own in a cache's folder: FOLDER NAME. */
import { folderBackend } from "../../../src/cache/folder/folderBackend.js";

const [folder = "", name = ""] = process.argv.slice(2);
const backend = folderBackend(folder, { compactBytes: 50_000, refreshMs: 50 });
for (let round = 0; round < 2_000; round++) {
  const value = JSON.stringify("x".repeat(300) + round);
  await backend.set({ key: `${name}/${round % 200}`, value, storedAt: Date.now(), expiresAt: null });
  // Lets the others, and the rewriting of the files, take their turns.
  if (round % 50 === 0) await new Promise((done) => setTimeout(done, 5));
  if (round === 1_500) await backend.delete([`${name}/gone`]);
}
await backend.close();
