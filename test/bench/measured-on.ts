import { availableParallelism, cpus, release, totalmem } from 'node:os';

/** When and where figures were measured. */
export function measuredOn(): { readonly measuredAt: string; readonly machine: string } {
  return {
    measuredAt: new Date().toISOString().slice(0, 10),
    machine: [
      `${availableParallelism()} cores`,
      cpus()[0]!.model.trim(),
      `${Math.round(totalmem() / 2 ** 30)} GiB`,
      `Linux ${release()}`,
      `Node.js ${process.version}`,
    ].join(', '),
  };
}
