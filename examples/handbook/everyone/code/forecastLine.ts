/** The dotted line of a forecast in the portal's chart. */

export interface Reading {
  at: Date;
  celsius: number;
}

export interface Limits {
  lower: number | null;
  upper: number;
}

/** A forecast older than this is drawn in grey: the engine makes a new one every five minutes. */
const STALE_AFTER_MINUTES = 12;

/** The colour of a forecast: red when it leaves the limits, grey when it is old, else blue. */
export function lineColour(forecast: Reading[], limits: Limits, madeAt: Date, now: Date): string {
  const ageMinutes = (now.getTime() - madeAt.getTime()) / 60_000;
  if (ageMinutes > STALE_AFTER_MINUTES) return "grey";
  return forecast.some((reading) => isOutside(reading, limits)) ? "red" : "blue";
}

function isOutside(reading: Reading, limits: Limits): boolean {
  const tooCold = limits.lower !== null && reading.celsius < limits.lower;
  return tooCold || reading.celsius > limits.upper;
}
