export async function batchBench(_: { short: boolean; model: string }): Promise<void> {}
