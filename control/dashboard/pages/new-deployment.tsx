import { useEffect, useState } from 'preact/hooks';
import type { Profile } from '../../../src/client/api-types.ts';
import { call } from '../live/call.ts';
import {
  EMPTY_FORM,
  FORM_FIELDS,
  profileLines,
  requestOf,
  type DeploymentForm,
} from '../model/deployment-form.ts';
import { words } from '../model/format.ts';
import { hashOf } from '../model/place.ts';
import { refusalFrom, type Refusal } from '../model/refusal.ts';
import { Dialog } from '../parts/dialog.tsx';
import { ChoiceField, TextField } from '../parts/field.tsx';
import { RefusalNote } from '../parts/refusal-note.tsx';

/** What one can choose from; whatever of it can't be read, the form works without. */
interface Known {
  readonly profiles: Readonly<Record<string, Profile>>;
  readonly queues: readonly string[];
  readonly versions: readonly string[];
}

const NOTHING_KNOWN: Known = { profiles: {}, queues: [], versions: [] };

async function readKnown(): Promise<Known> {
  const [profiles, { queues }, { workers }] = await call((client) =>
    Promise.all([client.listProfiles(), client.listQueues(), client.listWorkers()]),
  );
  return {
    profiles,
    queues: queues.map(({ name }) => name),
    versions: [...new Set(workers.map(({ version }) => version))].toSorted(),
  };
}

const STRATEGIES: readonly (readonly [string, string])[] = [
  ['hash_ring', 'hash ring: forwarded to a worker at once'],
  ['split_queue', 'split queue: waits in a list per lane'],
  ['stream_group', 'stream group: waits in a stream per lane'],
];

export function NewDeployment({ onClose }: { readonly onClose: () => void }) {
  const [form, setForm] = useState<DeploymentForm>(EMPTY_FORM);
  const [known, setKnown] = useState(NOTHING_KNOWN);
  const [refusal, setRefusal] = useState<Refusal>();
  const [isBusy, setBusy] = useState(false);
  useEffect(() => {
    readKnown().then(setKnown, (error: unknown) => setRefusal(refusalFrom(error)));
  }, []);

  const submit = async (event: Event): Promise<void> => {
    event.preventDefault();
    setBusy(true);
    try {
      const { id } = await call((client) => client.createDeployment({ body: requestOf(form) }));
      onClose();
      window.location.hash = hashOf({ page: 'deployment', id });
    } catch (error) {
      setRefusal(refusalFrom(error));
      setBusy(false);
    }
  };
  /** What a field is bound to. */
  const bound = (name: keyof DeploymentForm) => ({
    name,
    value: form[name],
    problem: refusal?.details[name],
    onChange: (value: string) => setForm((before) => ({ ...before, [name]: value })),
  });

  return (
    <Dialog title="New deployment" onClose={onClose} isWide>
      <form class="form" noValidate onSubmit={(event) => void submit(event)}>
        <div class="form-grid">
          <TextField
            {...bound('queue_name')}
            label="Queue"
            placeholder="payment-processing"
            known={known.queues}
            isRequired
            isFirst
          />
          <TextField {...bound('tenant_id')} label="Tenant" hint="Empty: the jobs of all tenants" />
          <TextField
            {...bound('stable_version')}
            label="Stable version"
            placeholder="v1.2.0"
            known={known.versions}
            isRequired
          />
          <TextField
            {...bound('canary_version')}
            label="Canary version"
            placeholder="v1.3.0"
            known={known.versions}
            isRequired
          />
        </div>
        <Profiles profiles={known.profiles} chosen={form.profile} onChoose={bound('profile').onChange} />
        <div class="form-grid">
          <TextField
            {...bound('initial_percentage')}
            label="Share to begin with"
            hint="Percent. Empty: the first stage, or 0"
            placeholder="10"
          />
          <ChoiceField
            {...bound('auto_promotion')}
            label="Promotion"
            hint="Automatic goes on stage by stage while it is healthy"
          >
            <option value="">As in the profile</option>
            <option value="true">Automatic</option>
            <option value="false">By hand</option>
          </ChoiceField>
        </div>
        <details class="more">
          <summary>More settings</summary>
          <div class="form-grid">
            <ChoiceField {...bound('routing_strategy')} label="Routing strategy">
              <option value="">{asInProfile(known.profiles[form.profile]?.routing_strategy)}</option>
              {STRATEGIES.map(([strategy, meaning]) => (
                <option key={strategy} value={strategy}>
                  {meaning}
                </option>
              ))}
            </ChoiceField>
            <TextField
              {...bound('metrics_window')}
              label="Metrics window"
              hint="Health and metrics are over this"
              placeholder="5m"
            />
            <TextField
              {...bound('min_duration')}
              label="Minimum duration"
              hint="Before it is promoted automatically"
              placeholder="5m"
            />
            <TextField
              {...bound('max_duration')}
              label="Maximum duration"
              hint="After it, it is taken back"
              placeholder="2h"
            />
          </div>
        </details>
        {refusal !== undefined && <RefusalNote refusal={refusal} fields={FORM_FIELDS} />}
        <footer class="dialog-foot">
          <button type="button" class="button" onClick={onClose}>
            Cancel
          </button>
          <button type="submit" class="button button-main" disabled={isBusy}>
            Create deployment
          </button>
        </footer>
      </form>
    </Dialog>
  );
}

function asInProfile(value: string | undefined): string {
  return value === undefined ? 'As in the profile' : `As in the profile: ${words(value)}`;
}

function Profiles(props: {
  readonly profiles: Readonly<Record<string, Profile>>;
  readonly chosen: string;
  readonly onChoose: (name: string) => void;
}) {
  return (
    <fieldset class="profiles">
      <legend>Profile</legend>
      {Object.entries(props.profiles).map(([name, profile]) => (
        <label key={name} class="profile">
          <input
            type="radio"
            name="profile"
            value={name}
            checked={name === props.chosen}
            onChange={() => props.onChoose(name)}
          />
          <span class="profile-name">{words(name)}</span>
          <ul>
            {profileLines(profile).map((line) => (
              <li key={line}>{line}</li>
            ))}
          </ul>
        </label>
      ))}
    </fieldset>
  );
}
