/**
 * A made log: four weeks of an office with two models, one of which spills from the third week on, a morning on which
 * another program kept loading its own window, and an evening on which calls waited for each other.
 */
import { seededRandom } from "../dist/calibration/prose.js";

export const HOUR = 3_600_000;
export const DAYS = 28;

/** @param {number} start midnight of a Monday, milliseconds since 1970 */
export function* madeLog(start) {
  const random = seededRandom(7);
  const normal = () => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
  let count = 0;
  for (let hour = 0; hour < DAYS * 24; hour++) {
    const [day, clock] = [Math.floor(hour / 24), hour % 24];
    const isWork = day % 7 < 5 && clock >= 7 && clock < 17;
    const calls = Math.round((isWork ? 22 : 0.3) * Math.exp(0.3 * normal()));
    for (let index = 0; index < calls; index++) {
      const isLarge = random() < 0.35;
      const template = Math.floor(4 * random() ** 2);
      const isSpilled = isLarge && day >= 18;
      const isStorm = !isLarge && day === 23 && clock >= 8 && clock < 10;
      const isQueue = day === 25 && clock === 15;
      const promptTokens = Math.round((isLarge ? 2600 : 700) * Math.exp(0.35 * normal()));
      const cachedTokens = Math.round(0.7 * promptTokens);
      const outputTokens = Math.round((isLarge ? 260 : 110) * Math.exp(0.25 * normal()));
      const loads = count === 0 || (isStorm && random() < 0.6) || (isWork && clock === 7 && index === 0);
      const loadMs = loads ? 4200 * Math.exp(0.1 * normal()) : 8 + 10 * random();
      const promptMs = (promptTokens - cachedTokens) * 0.6 * Math.exp(0.1 * normal());
      const outputMs = outputTokens * (isLarge ? 24 : 11) * (isSpilled ? 2.1 : 1) * Math.exp(0.08 * normal());
      const queueMs = isQueue ? 6000 * random() : 2;
      yield {
        schemaVersion: 1,
        id: `call-${count}`,
        at: new Date(start + hour * HOUR + (index * HOUR) / calls).toISOString(),
        source: "model",
        serverId: "http://127.0.0.1:11434",
        model: isLarge ? "qwen3:14b" : "llama3.2:3b",
        digest: null,
        templateId: ["support", "summary", "extract", "translate"][template],
        promptHash: random() < 0.12 ? `repeated-${count % 40}` : `call-${count}`,
        inputTokens: 80,
        promptTokens,
        outputTokens,
        cachedTokens,
        totalMs: loadMs + promptMs + outputMs + queueMs,
        loadMs,
        promptMs,
        outputMs,
        timeToFirstTokenMs: loadMs + promptMs + queueMs + 25,
        numCtx: isLarge ? 8192 : 4864,
        numBatch: null,
        modelBytes: isLarge ? 11e9 : 3.4e9,
        modelVramBytes: isSpilled ? 8.2e9 : isLarge ? 11e9 : 3.4e9,
        doneReason: "stop",
        toolCalls: 0,
        quality: 1,
        error: random() < 0.004 ? "TIMEOUT" : null,
        decision: null,
        runId: null,
      };
      count++;
    }
  }
}
