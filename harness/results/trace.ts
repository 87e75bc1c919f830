// SPDX-License-Identifier: GPL-2.0-only
import { z } from 'zod';

/** A line of trace.jsonl, as harness/device/trace writes it. Times in milliseconds, latencies in microseconds. */
export const traceLineSchema = z.discriminatedUnion('kind', [
  z.object({
    kind: z.literal('request'),
    at: z.number(),
    guest: z.string(),
    queue: z.number(),
    unique: z.number(),
    op: z.string(),
    node: z.number(),
    path: z.string(),
    pid: z.number(),
    uid: z.number(),
    args: z.record(z.string(), z.unknown()),
    error: z.string().optional(),
    replyBytes: z.number().optional(),
    latency: z.number().optional(),
    steered: z.string().optional(),
  }),
  z.object({ kind: z.literal('mark'), at: z.number(), guest: z.string(), text: z.string() }),
]);

export type TraceLine = z.infer<typeof traceLineSchema>;
export type TraceRequest = Extract<TraceLine, { kind: 'request' }>;
