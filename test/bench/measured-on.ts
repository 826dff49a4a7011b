import { availableParallelism, cpus } from 'node:os';

/** When and where figures were measured. */
export function measuredOn(): { readonly measuredAt: string; readonly machine: string } {
  return {
    measuredAt: new Date().toISOString().slice(0, 10),
    machine: `${availableParallelism()} cores, ${cpus()[0]!.model.trim()}, Node.js ${process.version}`,
  };
}
