export { byteBoundOf } from "./byteBound.js";
export { ChatLayout } from "./chatLayout.js";
export type { ChatContext, ChatMessage, ChatToolCall, RenderProbe } from "./chatMessage.js";
export { estimateTokens } from "./estimate.js";
export { type FetchShow, TokenizerPool, type TokenizerPoolOptions } from "./pool.js";
