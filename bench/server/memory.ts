/** Memory of the server after many calls to two models, whose tokenizers count in between. */
import { type Figure, median } from "../figures.js";
import { Connection, posted } from "./connection.js";
import { type Program, residentMegabytes } from "./programs.js";
import { WITH_TOKENIZER } from "./upstream.js";

const CONNECTIONS = 10;
/** One call in so many asks for the tokens of a text that is new. */
const COUNTED = 10;
const SAMPLES = 100;

export async function memory(optimizer: Program, calls: number): Promise<Figure[]> {
  const resident = [residentMegabytes(optimizer)];
  let sent = 0;
  const clients = Array.from({ length: CONNECTIONS }, async () => {
    const connection = await Connection.open(optimizer.origin);
    while (sent < calls) {
      const number = sent++;
      await connection.ask(requestOf(number));
      if (number % (calls / SAMPLES) === 0) resident.push(residentMegabytes(optimizer));
    }
    connection.close();
  });
  await Promise.all(clients);
  const tenth = SAMPLES / 10;
  const middle = median(resident.slice(SAMPLES / 2, SAMPLES / 2 + tenth));
  const last = median(resident.slice(-tenth));
  const name = `${calls / 1_000}k calls with two tokenizers`;
  return [
    { what: "memory before the first call", value: resident[0]!, unit: "MB" },
    { what: `memory after ${name}`, value: last, unit: "MB", atMost: 250 },
    { what: "  the most", value: Math.max(...resident), unit: "MB" },
    {
      what: "  grown over the last half (medians of a tenth each)",
      value: last - middle,
      unit: "MB",
      atMost: 10,
    },
  ];
}

function requestOf(number: number): Buffer {
  const model = WITH_TOKENIZER[number % 2]!;
  const content = `Question ${number}: ${`of ${number % 97} apples, ${number} are red; `.repeat(5)}`;
  if (number % COUNTED < 2) return posted("/optimization/tokenize", { model, text: content.repeat(10) });
  const messages = [{ role: "user", content }];
  const stream = number % 3 === 0;
  return number % 4 === 0
    ? posted("/v1/chat/completions", { model, messages, stream })
    : posted("/api/chat", { model, messages, stream });
}
