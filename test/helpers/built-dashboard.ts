import { buildDashboard, isUpToDate } from '../../control/dashboard/build/build.ts';

/** Before all tests: a control plane reads the dashboard when it starts. */
export async function setup(): Promise<void> {
  if (!(await isUpToDate())) await buildDashboard();
}
