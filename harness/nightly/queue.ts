// SPDX-License-Identifier: GPL-2.0-only
import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { Queue, Worker, type Job } from 'bullmq';
import { Redis } from 'ioredis';
import { z } from 'zod';
import type { Context } from '../host/context.ts';
import { InfrastructureError, InputError, InterruptedError } from '../host/errors.ts';
import { contentId } from '../host/hash.ts';
import { cellResultSchema, cellSchema, type Cell, type CellResult } from '../results/nightly.ts';
import { configSchema, type NightlyConfig } from './config.ts';
import type { Memory } from './history.ts';

/**
 * Cells of a night for many machines: a queue of BullMQ on Redis or Valkey. A job is a cell; its result comes back as the
 * job's return value, so that it is there once or not at all, whoever judged it and how often.
 */
const QUEUE = 'fuselage-cells';

/** A machine that fails gives the cell to another one; the last says what is the matter. */
const ATTEMPTS = 4;

const seenSchema = z.object({ night: z.number(), startedAt: z.string(), commit: z.object({ id: z.string(), title: z.string() }).optional() });
const memorySchema = z.object({
  lastGood: z.object({ fingerprint: z.string(), startedAt: z.string(), commit: z.object({ id: z.string(), title: z.string() }).optional() }).optional(),
  greenFingerprint: z.string().optional(),
  failing: z.array(z.object({ name: z.string(), subtest: z.string(), since: seenSchema })),
});

/** What a worker is told. It comes over a network: it is read as such. */
const taskSchema = z.object({ cell: cellSchema, config: configSchema.extend({ file: z.string() }), memory: memorySchema, full: z.boolean(), night: z.number(), command: z.string() });
export interface Task {
  readonly cell: Cell;
  readonly config: NightlyConfig;
  readonly memory: Memory;
  readonly full: boolean;
  readonly night: number;
  readonly command: string;
}

export interface QueueOptions {
  /** redis://[user[:password]@]host[:port][/database], or rediss:// for TLS; the password may be in FUSELAGE_QUEUE_PASSWORD. */
  readonly url: string;
  /** PEM file of the authority that has signed the server's certificate, where that is not one that the system knows. */
  readonly caFile?: string;
  /** A worker that is silent for longer has lost its job. */
  readonly lockSeconds?: number;
}

function connectionOptions({ url, caFile }: QueueOptions) {
  const password = process.env['FUSELAGE_QUEUE_PASSWORD'];
  return { maxRetriesPerRequest: null, ...(password === undefined ? {} : { password }), ...(new URL(url).protocol === 'rediss:' && caFile !== undefined ? { tls: { ca: readFileSync(caFile) } } : {}) };
}

const shownUrl = (url: string): string => url.replace(/\/\/[^@/]*@/, '//');

/** Connects once, to say clearly what is wrong before anything waits for ever. @throws InputError or InfrastructureError */
async function probe(options: QueueOptions): Promise<void> {
  const { url } = options;
  let parsed: URL;
  try {
    parsed = new URL(url);
  } catch {
    throw new InputError('nightly.queue', `${url} is no address of a queue`, { hint: 'write it as redis://host:6379 or rediss://host:6379' });
  }
  if (parsed.protocol !== 'redis:' && parsed.protocol !== 'rediss:') throw new InputError('nightly.queue', `${shownUrl(url)} is no address of a queue`, { hint: 'write it as redis://host:6379 or rediss://host:6379' });
  const redis = new Redis(url, { ...connectionOptions(options), lazyConnect: true, retryStrategy: () => null, maxRetriesPerRequest: 0, connectTimeout: 10_000 });
  // Without a listener it would print to stderr by itself; the promise has it all.
  let last: Error | undefined;
  redis.on('error', (error: Error) => {
    last = error;
  });
  try {
    await redis.connect();
    await redis.ping();
  } catch (cause) {
    const text = `${last?.message ?? ''} ${cause instanceof Error ? cause.message : String(cause)}`;
    if (/WRONGPASS|NOAUTH|invalid password|invalid username/i.test(text)) throw new InputError('nightly.queue', `the queue at ${shownUrl(url)} refuses this password`, { hint: 'set FUSELAGE_QUEUE_PASSWORD, or put user and password into the address', cause });
    if (/certificate|self.signed|SSL|TLS|wrong version number/i.test(text)) throw new InputError('nightly.queue', `the queue at ${shownUrl(url)} can not be trusted: ${(last?.message ?? text).trim().split('\n')[0] ?? ''}`, { hint: 'give --queue-ca the PEM file of the authority, or check redis:// against rediss://', cause });
    throw new InfrastructureError('nightly.queue', `the queue at ${shownUrl(url)} does not answer: ${(last?.message ?? text).trim().split('\n')[0] ?? ''}`, { hint: 'is the server running, and reachable from here?', cause });
  } finally {
    redis.disconnect();
  }
}

async function connect(options: QueueOptions): Promise<Redis> {
  await probe(options);
  const redis = new Redis(options.url, { ...connectionOptions(options), retryStrategy: (times) => Math.min(times * 200, 3_000) });
  redis.on('error', () => undefined); // it connects again by itself; whoever waits too long says so
  return redis;
}

const jobIdOf = (nightId: string, cell: string): string => contentId({ nightId, cell });

/** How often the producer looks. */
const LOOK_SECONDS = 1;

/** Puts tasks into the queue and collects what comes back, each once. A server that is started anew without its data is given them again. */
export async function dispatch(context: Context, options: QueueOptions, nightId: string, tasks: readonly Task[], onCell: (result: CellResult) => void): Promise<CellResult[]> {
  const redis = await connect(options);
  const queue = new Queue(QUEUE, { connection: redis });
  queue.on('error', () => undefined);
  const open = new Map(tasks.map((task) => [jobIdOf(nightId, task.cell.id), task]));
  const found: CellResult[] = [];
  let lonely = false;
  const add = async (jobId: string, task: Task) => {
    await queue.add('cell', task, { jobId, attempts: ATTEMPTS, backoff: { type: 'fixed', delay: 1_000 }, removeOnComplete: false, removeOnFail: false });
  };
  try {
    for (const [jobId, task] of open) await add(jobId, task);
    while (open.size > 0) {
      for (const [jobId, task] of [...open]) {
        if (context.signal.aborted) throw new InterruptedError();
        const result = await settled(queue, jobId, task);
        if (result === 'absent') await add(jobId, task);
        else if (result !== 'under way') {
          open.delete(jobId);
          found.push(result);
          onCell(result);
        }
      }
      if (open.size > 0 && !lonely && (await queue.getWorkersCount()) === 0) {
        lonely = true;
        context.emit({ type: 'warning', text: `no worker is there: start \`fuselage worker --queue ${shownUrl(options.url)}\`` });
      }
      if (open.size > 0)
        await sleep(LOOK_SECONDS * 1_000, undefined, { signal: context.signal }).catch(() => {
          throw new InterruptedError();
        });
    }
    return found;
  } finally {
    // What is not wanted any more is not judged; what is under way ends by itself.
    if (!context.signal.aborted || redis.status === 'ready') for (const task of tasks) await queue.remove(jobIdOf(nightId, task.cell.id)).catch(() => undefined);
    await queue.close();
    redis.disconnect();
  }
}

async function settled(queue: Queue, jobId: string, task: Task): Promise<CellResult | 'absent' | 'under way'> {
  const job = (await queue.getJob(jobId)) as Job | undefined;
  if (job === undefined) return 'absent';
  if (await job.isCompleted()) {
    const parsed = cellResultSchema.safeParse(((await queue.getJob(jobId)) as Job | undefined)?.returnvalue);
    return parsed.success ? parsed.data : failed(task, 'a worker sent what is no result');
  }
  if (await job.isFailed()) return failed(task, job.failedReason);
  return 'under way';
}

const failed = (task: Task, reason: string): CellResult => ({ cell: task.cell, fingerprint: '', outcome: 'no-verdict', reason: `${ATTEMPTS} workers gave up: ${reason}`, startedAt: new Date().toISOString(), seconds: 0, issues: [] });

/** Judges cells of the queue until it is told to stop. */
export async function serve(context: Context, options: QueueOptions, judge: (task: Task) => Promise<CellResult>, listener: { onReady(): void; onNote(text: string): void }): Promise<void> {
  const redis = await connect(options);
  const lockMilliseconds = (options.lockSeconds ?? 60) * 1_000;
  const worker = new Worker<unknown, CellResult>(
    QUEUE,
    async (job) => {
      const parsed = taskSchema.safeParse(job.data);
      if (!parsed.success) throw new Error('a task that this version does not understand');
      const task: Task = parsed.data;
      listener.onNote(`${task.cell.id} (attempt ${job.attemptsMade + 1})`);
      const result = await judge(task);
      // Another machine may have the disk or the network that this one lacks.
      if (result.outcome === 'no-verdict' && job.attemptsMade + 1 < ATTEMPTS) throw new Error(`${hostname()}: ${result.reason ?? 'no verdict'}`);
      return result;
    },
    { connection: redis, concurrency: 1, lockDuration: lockMilliseconds, stalledInterval: lockMilliseconds / 2, maxStalledCount: ATTEMPTS },
  );
  worker.on('error', (error) => {
    listener.onNote(error.message.split('\n')[0] ?? '');
  });
  worker.on('failed', (job, error) => {
    listener.onNote(`${taskSchema.safeParse(job?.data).data?.cell.id ?? 'a task'} goes back: ${error.message.split('\n')[0] ?? ''}`);
  });
  await worker.waitUntilReady();
  listener.onReady();
  await new Promise<void>((resolve) => {
    context.signal.addEventListener('abort', () => {
      resolve();
    });
  });
  // The cell that is under way has been interrupted, and goes back to the queue.
  await worker.close();
  redis.disconnect();
}
