import { expect, it } from '@jest/globals';
// Behind the door on purpose: the clock of the process is the replica's own.
import { countingSuspends } from '../../../src/kernel/index.js';

class Machine {
  monotonic = 1_000;
  wall = 1_700_000_000_000;
  uptime = 500_000;
  uptimeRead = 0;
  readonly now = countingSuspends({
    monotonicMs: () => this.monotonic,
    wallMs: () => this.wall,
    uptimeMs: () => {
      this.uptimeRead++;
      return this.uptime;
    },
  });
  pass(ms: number): void {
    this.monotonic += ms;
    this.suspend(ms);
  }
  suspend(ms: number): void {
    this.wall += ms;
    this.uptime += ms;
  }
}

it('counts the time for which the machine was suspended, each time', () => {
  const machine = new Machine();
  expect(machine.now()).toBe(1_000);
  machine.pass(100);
  machine.suspend(30_000);
  expect(machine.now()).toBe(31_100);
  machine.pass(100);
  expect(machine.now()).toBe(31_200);
  machine.suspend(300);
  expect(machine.now()).toBe(31_500);
});

it('does not move when the wall clock is set, and never goes back', () => {
  const machine = new Machine();
  for (const step of [8 * 86_400_000, -8 * 86_400_000, 60_000]) {
    machine.wall += step;
    expect(machine.now()).toBe(1_000);
  }
  machine.suspend(5_000);
  expect(machine.now()).toBe(6_000);
  machine.uptime -= 1_000;
  machine.wall -= 1_000;
  expect(machine.now()).toBe(6_000);
});

it('asks for the uptime only when the wall clock has moved otherwise than the monotonic one', () => {
  const machine = new Machine();
  const atStart = machine.uptimeRead;
  for (let i = 0; i < 1_000; i++) {
    machine.pass(7);
    // Slewed: at most 500 ppm.
    machine.wall += 0.003;
    machine.now();
  }
  expect(machine.uptimeRead).toBe(atStart);
});
