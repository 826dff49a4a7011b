import { describeDead } from './contract-lanes-dead.ts';
import { describeDrain } from './contract-lanes-drain.ts';
import { describeEnqueue } from './contract-lanes-enqueue.ts';
import { describeConservation } from './contract-lanes-conservation.ts';
import { describeRecovery } from './contract-lanes-recover.ts';
import { describeTake } from './contract-lanes-take.ts';
import type { OpenLaneFixture } from './lane-fixture.ts';

/** What `LaneStore` means, for every implementation of it. */
export function describeLaneContract(open: OpenLaneFixture): void {
  describeEnqueue(open);
  describeTake(open);
  describeRecovery(open);
  describeDrain(open);
  describeDead(open);
  describeConservation(open);
}
