/** Each worker has servers of its own: of the addresses that scripts/ollama/serve.mjs lists, those in its place. */
const place = Number(process.env.VITEST_POOL_ID) - 1;
for (const variable of ["OLLAMA_TEST_0_34", "OLLAMA_TEST_0_24"]) {
  const origins = process.env[variable]?.split(",");
  if (origins) process.env[variable] = origins[place % origins.length];
}
