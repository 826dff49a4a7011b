import { z } from 'zod';
import { HEALTH_STATUSES } from '../../core/health.ts';
import type { Judgement } from '../../core/judge/judgement.ts';
import { codecOf, type RecordCodec } from './records.ts';
import { addFields, toFields } from './telemetry-fields.ts';
import { createLanesTotals } from '../../core/lane-totals.ts';

/** A judgement as JSON: the totals in it as the fields that telemetry is kept in, which are few. */

const trials = z.looseObject({ trials: z.number(), hits: z.number() });
const twoSample = z.looseObject({ logWealth: z.array(z.number()), stable: trials, canary: trials });
const oneSample = z.looseObject({ carried: z.number(), now: z.number() });
const completion = z.looseObject({ due: z.number(), done: z.number() });
const fields = z.array(z.tuple([z.string(), z.number()]));

/** A later release may know more of them; evidence that has grown for hours is not to be thrown away for that. */
const checks: z.ZodType<Judgement['checks']> = z.looseObject({
  error_rate: z.boolean(),
  latency: z.boolean(),
  throughput: z.boolean(),
  sample_size: z.boolean(),
  duration: z.boolean(),
});

const storedSchema = z.looseObject({
  step: z.int(),
  status: z.enum(HEALTH_STATUSES),
  checks,
  evaluatedAt: z.number(),
  evidence: z.looseObject({
    step: z.int(),
    errorRate: twoSample,
    latency: twoSample,
    successRate: oneSample,
    throughput: oneSample,
    patienceMs: z.number().nullable(),
    routed: z.array(z.looseObject({ at: z.number(), stable: z.number(), canary: z.number() })),
    completion: z.looseObject({ stable: completion, canary: completion }),
    seen: fields,
    at: z.number(),
  }),
});

const stored = codecOf(storedSchema);

export const judgementRecord: RecordCodec<Judgement> = {
  encode(judgement) {
    const { sums, maxima } = toFields(judgement.evidence.seen);
    return JSON.stringify({
      ...judgement,
      evidence: { ...judgement.evidence, seen: [...sums, ...maxima] },
    });
  },
  decode(text, name) {
    const { evidence, ...judgement } = stored.decode(text, name);
    const seen = createLanesTotals();
    addFields(seen, evidence.seen);
    return { ...judgement, evidence: { ...evidence, seen } };
  },
};
