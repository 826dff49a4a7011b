import { useState } from 'preact/hooks';
import type { Deployment } from '../../../src/client/api-types.ts';
import type { Client } from '../../../src/client/calls.ts';
import { call } from '../live/call.ts';
import { isMovable, isOpen } from '../model/deployment.ts';
import { hashOf } from '../model/place.ts';
import { refusalFrom, type Refusal } from '../model/refusal.ts';
import { OperateButton } from './ability.tsx';
import { ActionDialog } from './action-dialog.tsx';
import { Dialog } from './dialog.tsx';
import { RefusalNote } from './refusal-note.tsx';

/** What can be done to a deployment, but for its percentage. */
export function Actions(props: {
  readonly deployment: Deployment;
  readonly etag: string | undefined;
  readonly onChange: () => void;
}) {
  const { deployment } = props;
  const [asked, setAsked] = useState<'promote' | 'rollback' | 'delete'>();
  const [refusal, setRefusal] = useState<Refusal>();
  const close = (): void => setAsked(undefined);
  const { id } = deployment;

  const hold = async (act: (client: Client) => Promise<unknown>): Promise<void> => {
    try {
      await call(act);
    } catch (error) {
      setRefusal(refusalFrom(error));
    }
    props.onChange();
  };

  return (
    <div class="actions">
      {deployment.status === 'active' && (
        <OperateButton onClick={() => void hold((client) => client.pauseDeployment({ id }))}>
          Pause
        </OperateButton>
      )}
      {deployment.status === 'paused' && (
        <OperateButton onClick={() => void hold((client) => client.resumeDeployment({ id }))}>
          Resume
        </OperateButton>
      )}
      {isMovable(deployment) && (
        <OperateButton kind="main" onClick={() => setAsked('promote')}>
          Promote…
        </OperateButton>
      )}
      {isMovable(deployment) && (
        <OperateButton kind="danger" onClick={() => setAsked('rollback')}>
          Roll back…
        </OperateButton>
      )}
      {!isOpen(deployment) && <OperateButton onClick={() => setAsked('delete')}>Delete…</OperateButton>}
      {asked === 'promote' && <Promote {...props} onClose={close} />}
      {asked === 'rollback' && <RollBack {...props} onClose={close} />}
      {asked === 'delete' && <Delete {...props} onClose={close} />}
      {refusal !== undefined && (
        <Dialog title="That was refused" onClose={() => setRefusal(undefined)}>
          <RefusalNote refusal={refusal} />
        </Dialog>
      )}
    </div>
  );
}

interface AskProps {
  readonly deployment: Deployment;
  readonly etag: string | undefined;
  readonly onChange: () => void;
  readonly onClose: () => void;
}

function Promote({ deployment, etag, onChange, onClose }: AskProps) {
  const { id, canary_version, stable_version, queue_name } = deployment;
  return (
    <ActionDialog
      title={`Promote ${canary_version}?`}
      confirm="Promote"
      act={(client) => client.promoteDeployment({ id, ifMatch: etag })}
      onDone={onChange}
      onClose={onClose}
    >
      <p>
        All jobs of <strong>{queue_name}</strong> go to <strong>{canary_version}</strong> from then on, also
        after this deployment is forgotten. {stable_version} gets none.
      </p>
    </ActionDialog>
  );
}

function RollBack({ deployment, onChange, onClose }: AskProps) {
  const [reason, setReason] = useState('');
  const { id, canary_version, stable_version, queue_name } = deployment;
  return (
    <ActionDialog
      title={`Roll back ${canary_version}?`}
      confirm="Roll back"
      isDangerous
      // Without If-Match: whatever has changed meanwhile, who takes a version out wants it out.
      act={(client) => client.rollBackDeployment({ id, body: reason.trim() === '' ? {} : { reason } })}
      onDone={onChange}
      onClose={onClose}
    >
      <p>
        All jobs of <strong>{queue_name}</strong> go to <strong>{stable_version}</strong> at once, those that
        wait for the canary too. This deployment ends as failed.
      </p>
      <label class="field">
        <span>Reason</span>
        <textarea
          rows={2}
          maxLength={1000}
          placeholder="For those who read the events later"
          value={reason}
          onInput={({ currentTarget }) => setReason(currentTarget.value)}
        />
      </label>
    </ActionDialog>
  );
}

function Delete({ deployment, etag, onClose }: AskProps) {
  const { id } = deployment;
  return (
    <ActionDialog
      title="Delete this deployment?"
      confirm="Delete"
      isDangerous
      act={async (client) => {
        await client.deleteDeployment({ id, ifMatch: etag });
        window.location.hash = hashOf({ page: 'deployments' });
      }}
      onDone={() => {}}
      onClose={onClose}
    >
      <p>It goes with its events. The routing stays as it left it.</p>
    </ActionDialog>
  );
}
