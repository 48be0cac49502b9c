/**
 * Milliseconds since the epoch as they were at the start of the process, counted on without jumps: when somebody
 * sets the clock back, what was seen before stays older than what is seen now.
 *
 * @example steadyNow() - steadyNow() <= 0 // true
 */
export function steadyNow(): number {
  return performance.timeOrigin + performance.now();
}
