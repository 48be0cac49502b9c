/** What an optimizer remembers, and where: the contract, the memory and JSON drivers. */

export type {
  Counts,
  Histogram,
  ProfileRecord,
  RuleRecord,
  RunnerOptions,
  SettingRecord,
  StoredRecord,
  TemplateRecord,
  TemplateScope,
} from "../records.js";
export { defaultStorePath, openDefaultStore, type StorePathContext } from "./defaultStore.js";
export type { JsonMaintenance } from "./json/jsonBackend.js";
export { type JsonStoreOptions, openJsonStore } from "./json/openJsonStore.js";
export type { Retention } from "./json/requestLog.js";
export { type MemoryStoreOptions, memoryStore } from "./memory.js";
export { promptHasher } from "./promptHasher.js";
export type { StoreOptions } from "./queuedStore.js";
export type { Redact, RequestTextOptions } from "./requestText.js";
export type {
  Change,
  DocumentKind,
  Documents,
  OptimizerStore,
  RequestQuery,
  StoreAbilities,
  StoreEvent,
} from "./store.js";
export {
  exportStore,
  type ImportOptions,
  importStore,
  type TransferOptions,
  type TransferProgress,
} from "./transfer.js";
