// SPDX-License-Identifier: GPL-2.0-only
import { describe, expect, it } from 'vitest';
import { Script, type Arrival } from './script.ts';

const arrival = (more: Partial<Arrival> = {}): Arrival => ({ op: 'READ', node: 2, path: '/a', pid: 10, uid: 0, unique: 2, queue: 1, args: {}, ...more });

describe('a script', () => {
  it('matches by operation, node, path, pid and what a function says', () => {
    const script = new Script();
    const rule = script.hold({ op: ['READ', 'WRITE'], path: /^\/a/, pid: 10, where: ({ unique }) => unique > 5 });
    expect(script.take(arrival({ unique: 6 }))).toBe(rule);
    for (const other of [{ op: 'OPEN' as const }, { path: '/b' }, { pid: 11 }, { unique: 4 }]) expect(script.take(arrival({ unique: 6, ...other }))).toBeUndefined();
  });

  it('acts from the n-th on, so many times', () => {
    const script = new Script();
    script.fail({ op: 'READ', from: 2, times: 2 }, 'EIO');
    expect([1, 2, 3, 4].map(() => script.take(arrival()) !== undefined)).toEqual([false, true, true, false]);
  });

  it('the youngest rule acts, and every watch sees', () => {
    const script = new Script();
    const [watch, old, young] = [script.watch({ op: 'READ' }), script.hold({ op: 'READ' }), script.hold({ op: 'READ' })];
    expect(script.take(arrival())).toBe(young);
    young.remove();
    expect(script.take(arrival())).toBe(old);
    expect(watch.arrivals.length).toBe(2);
  });

  it('tells when the k-th has arrived', async () => {
    const script = new Script();
    const rule = script.hold({ op: 'READ' });
    const second = rule.arrived(2);
    script.take(arrival({ unique: 1 }));
    script.take(arrival({ unique: 3 }));
    expect((await second).unique).toBe(3);
    expect((await rule.arrived(1)).unique).toBe(1);
  });

  it('lets go one, then all; an open rule holds nothing', async () => {
    const script = new Script();
    const rule = script.hold({ op: 'READ' });
    const order: number[] = [];
    const passing = [1, 2, 3].map(async (number) => {
      await rule.pass();
      order.push(number);
    });
    expect(rule.holding).toBe(3);
    rule.releaseOne();
    await passing[0];
    expect(order).toEqual([1]);
    script.clear();
    await Promise.all(passing);
    await rule.pass();
    expect([order, rule.holding, script.active]).toEqual([[1, 2, 3], 0, false]);
  });
});
