/** Raised whenever the rules that decide change, so that records of decisions stay comparable. */
export const POLICY_VERSION = 1;
