import { afterEach, beforeEach, describe, it } from '@jest/globals';
import { Cluster } from '../harness/cluster.js';
import { eventually, sleep } from '../harness/waiting.js';

describe('a stall of the event loop', () => {
  let cluster: Cluster;
  beforeEach(async () => {
    cluster = await Cluster.start({ replicas: 1 });
  });
  afterEach(() => cluster.close());

  it('is counted, timed and logged by its cause: here, a process that was stopped', async () => {
    const { http, child } = cluster.replica(1);
    const stalledByMachine = async (): Promise<number> => {
      const text = await (await fetch(`${http}/metrics`)).text();
      return Number(/quorate_loop_stalled_seconds_total\{cause="machine"\} ([\d.]+)/.exec(text)?.[1] ?? 0);
    };
    const before = await stalledByMachine();
    cluster.pause(1);
    await sleep(1_500);
    cluster.resume(1);
    await eventually('the stall is told', 30_000, async () => (await stalledByMachine()) - before > 1);
    await eventually('the log says it', 30_000, () =>
      child.lines.find((line) => /the event loop stalled for \d+ ms: the process did not run/.test(line)),
    );
  });
});
