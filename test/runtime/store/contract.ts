import { describeActivity } from './contract-activity.ts';
import { describeBackup } from './contract-backup.ts';
import { describeConcurrency } from './contract-concurrency.ts';
import { describeDeployments } from './contract-deployments.ts';
import { describeEvents } from './contract-events.ts';
import { describeJudge } from './contract-judge.ts';
import { describeOutbox } from './contract-outbox.ts';
import { describeReports } from './contract-reports.ts';
import { describeRequests } from './contract-requests.ts';
import { describeRoutes } from './contract-routes.ts';
import { describeTelemetry } from './contract-telemetry.ts';
import { describeWorkers } from './contract-workers.ts';
import type { OpenFixture } from './fixture.ts';

/** What `Store` means, for every implementation of it. */
export function describeStoreContract(open: OpenFixture): void {
  describeDeployments(open);
  describeWorkers(open);
  describeRoutes(open);
  describeReports(open);
  describeEvents(open);
  describeTelemetry(open);
  describeJudge(open);
  describeOutbox(open);
  describeActivity(open);
  describeRequests(open);
  describeBackup(open);
  describeConcurrency(open);
}
