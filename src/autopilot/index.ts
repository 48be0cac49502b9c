/** `langchain-ollama-optimizer/autopilot`: steps that the figures call for, and optimizing any function's calls. */
export {
  Autopilot,
  type AutopilotOptions,
  type AutopilotRun,
  type AutopilotStatus,
} from "./autopilot.js";
export { Gate } from "./gate.js";
export { appliedSteps, type LoopState } from "./history.js";
export type { Patience } from "./judge.js";
export {
  type CacheCounts,
  type Dial,
  type DialKind,
  type Levers,
  leversOf,
  type TurnableCache,
  type TurnableGate,
} from "./levers.js";
export {
  type OptimizeCall,
  type OptimizeCallOptions,
  type OptimizeCallParts,
  optimizeCalls,
} from "./optimizeCall.js";
export type { AutopilotLimits } from "./propose.js";
export type { Goal, Measurements, Proposal, Step, StepState, StepType } from "./step.js";
