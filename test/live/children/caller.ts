/** A program of its own: `node caller.js ORIGIN FOLDER WORDS ...` makes a call of so many words each, one line a call. */
import { OptimizedChatOllama } from "../../../src/index.ts";

const [origin, folder, ...counts] = process.argv.slice(2);
const model = new OptimizedChatOllama({
  model: "random",
  baseUrl: origin,
  store: folder,
  numPredict: 4,
  optimizer: { minimumWindow: 512 },
});
await model.ready();
for (const count of counts) {
  const { response_metadata } = await model.invoke("they said that ".repeat(Number(count) / 3));
  const { action, numCtx } = response_metadata.optimizer as { action: string; numCtx: number };
  const loadMs = Number(response_metadata.load_duration) / 1e6;
  console.log(JSON.stringify({ action, numCtx, loadMs }));
}
await model.store.close();
