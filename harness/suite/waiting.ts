// SPDX-License-Identifier: GPL-2.0-only

/** Round trips of another process in the same guest that an access which does not wait has long ended by. */
const ROUND_TRIPS = 20;

/**
 * Whether `access` waits for something: true if it has not ended after twenty round trips of somebody else.
 * On a slow guest those are slow too, so no time decides it.
 * @param trip one request of another process that does not wait for what `access` may wait for.
 */
export async function waits(access: Promise<unknown>, trip: () => Promise<unknown>): Promise<boolean> {
  const state = { done: false };
  const end = () => {
    state.done = true;
  };
  access.then(end, end);
  for (let trips = 0; trips < ROUND_TRIPS && !state.done; trips++) await trip();
  return !state.done;
}
