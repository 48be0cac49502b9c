/**
 * A decision about a prompt of 8,000 tokens with 10,000 templates in memory, as the whole engine makes it. The
 * prompt's bytes fit the loaded window, so that nothing is counted: the time is that of deciding alone.
 */
import { HumanMessage, SystemMessage } from "@langchain/core/messages";
import { OptimizedChatOllama } from "../../src/index.js";
import { fingerprintPrompt } from "../../src/optimizer/fingerprint.js";
import { TemplateIndex } from "../../src/optimizer/templates.js";
import type { DecisionRecord, TemplateRecord } from "../../src/records.js";
import { memoryStore } from "../../src/storage/memory.js";
import { type Benchmark, quantile } from "../figures.js";
import { prose } from "../workload.js";
import { scriptedServer } from "./scriptedServer.js";

const TEMPLATES = 10_000;
/** Tokens by the test server's model for these words: 8,000 and more. */
const WORDS = 3_300;

export const deciding: Benchmark = {
  title: "A decision at 8k prompt tokens with 10,000 templates",
  async run({ short }) {
    const server = await scriptedServer();
    const store = memoryStore();
    try {
      const tags = (await (await fetch(`${server.origin}/api/tags`)).json()) as {
        models: { digest: string }[];
      };
      const index = new TemplateIndex({ modelDigest: tags.models[0]!.digest, limit: 2 * TEMPLATES });
      // The worst case: every template is a task behind the prompt's own system prompt, and none matches.
      const system = prose(900, 1);
      const call = { promptTokens: 8_000, outputTokens: 50, totalMs: 900, censored: false, error: null };
      for (let task = 0; task < TEMPLATES; task++) {
        const head = fingerprintPrompt([
          { role: "system", content: system },
          { role: "user", content: prose(600, 2 + task) },
        ]);
        for (const change of index.observe(head, null, call, new Date()).changes) {
          await store.merge("templates", change as TemplateRecord);
        }
      }
      const fields = { model: "tiny", baseUrl: server.origin, store, numPredict: 16, numCtx: 65_536 };
      const model = new OptimizedChatOllama(fields);
      const decisions: DecisionRecord[] = [];
      for (let tries = 0; tries < (short ? 400 : 2_000) + 100; tries++) {
        const reply = await model.invoke([
          new SystemMessage(system),
          new HumanMessage(prose(WORDS - 900, 1e6 + tries)),
        ]);
        if (tries >= 100) decisions.push(reply.response_metadata.optimizer as DecisionRecord);
      }
      const times = decisions.map(({ decideMs }) => decideMs).sort((a, b) => a - b);
      return [
        { what: "templates in memory", value: [...store.list("templates")].length, unit: "" },
        {
          what: "decisions that counted",
          value: decisions.filter(({ countSource }) => countSource !== "bound").length,
          unit: "",
        },
        { what: "decision: p50", value: quantile(times, 0.5), unit: "ms" },
        { what: "decision: p99", value: quantile(times, 0.99), unit: "ms", atMost: 1 },
      ];
    } finally {
      server.stop();
      await store.close();
    }
  },
};
