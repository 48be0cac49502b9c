import { describe, expect, test } from "vitest";
import { ReserveRule } from "../../src/engine/reserveRule.js";
import { memoryStore } from "../../src/storage/memory.js";

const AT = new Date("2026-01-01T00:00:00Z");

async function storeWith(observations: number, censored: number) {
  const store = memoryStore();
  await store.merge("templates", {
    id: "t",
    modelDigest: "d",
    counts: { observations, censored, errors: 0, distanceSum: 0 },
  });
  return store;
}

describe("the reserve that a template's replies suggest", () => {
  test("applies from the start, and becomes a rule with counts", async () => {
    const store = await storeWith(40, 0);
    const rule = new ReserveRule(store);
    expect(rule.mayApply("t")).toBe(true);
    for (let reply = 0; reply < 16; reply++) rule.observe("t", 1, AT);
    const [kept] = [...store.list("rules")];
    expect(kept).toMatchObject({ state: "active", counts: { success: 16, total: 16 } });
    expect(rule.mayApply("t")).toBe(true);
  });

  test("is reverted for good when replies get worse with it", async () => {
    const store = await storeWith(60, 0);
    const rule = new ReserveRule(store);
    for (let reply = 0; reply < 16; reply++) rule.observe("t", 0.1, AT);
    expect(rule.mayApply("t")).toBe(false);
    expect([...store.list("rules")][0]?.state).toBe("reverted");
    expect(new ReserveRule(store).mayApply("t")).toBe(false);
  });

  test("stays while replies are as bad without it", async () => {
    const store = await storeWith(100, 58);
    const rule = new ReserveRule(store);
    for (let reply = 0; reply < 16; reply++) rule.observe("t", reply % 2, AT);
    expect(rule.mayApply("t")).toBe(true);
  });
});
