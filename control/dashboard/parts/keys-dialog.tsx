import { Dialog } from './dialog.tsx';

const KEYS: readonly (readonly [readonly string[], string])[] = [
  [['j', 'k'], 'Next and previous in a list, like ↓ and ↑'],
  [['Enter'], 'Open it'],
  [['g', 'd'], 'Go to the deployments'],
  [['g', 'w'], 'Go to the workers'],
  [['g', 'q'], 'Go to the queues'],
  [['n'], 'New deployment'],
  [['Esc'], 'Close a dialog'],
  [['?'], 'These keys'],
];

export function KeysDialog({ onClose }: { readonly onClose: () => void }) {
  return (
    <Dialog title="Keys" onClose={onClose}>
      <dl class="keys">
        {KEYS.map(([keys, meaning]) => (
          <div key={meaning}>
            <dt>
              {keys.map((key) => (
                <kbd key={key}>{key}</kbd>
              ))}
            </dt>
            <dd>{meaning}</dd>
          </div>
        ))}
      </dl>
    </Dialog>
  );
}
