/** The simulation of five ways of sizing the window, as figures. */
import type { Benchmark } from "../figures.js";
import { meanOver, table } from "../simulation.js";

export const simulated: Benchmark = {
  title: "1,000 calls on a simulated server, mean of the seeds",
  async run({ short }) {
    const seeds = short ? 5 : 20;
    console.log(table(seeds));
    const [ours, fixed, doubling] = ["this package", "fixed maximum", "sticky doubling"].map((name) =>
      meanOver(name, seeds),
    );
    return [
      { what: "seeds", value: seeds, unit: "" },
      { what: "answers cut", value: ours!.cut, unit: "", atMost: 0 },
      { what: "loads after call 50", value: ours!.lateLoads, unit: "", atMost: 1 },
      {
        what: "final window / fixed maximum",
        value: ours!.finalWindow / fixed!.finalWindow,
        unit: "",
        atMost: 0.5,
      },
      {
        what: "final window / sticky doubling",
        value: ours!.finalWindow / doubling!.finalWindow,
        unit: "",
        atMost: 0.8,
      },
    ];
  },
};
