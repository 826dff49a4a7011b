import { buildDashboard, isUpToDate } from './build.ts';

if (!(await isUpToDate())) await buildDashboard();
