import { useEffect, useState } from 'preact/hooks';
import { useKeys } from './live/keys.ts';
import { isSessionKnown, session, takeTokenFromAddress } from './live/session.ts';
import { hashOf, placeOf, type Place } from './model/place.ts';
import { DeadJobsPage } from './pages/dead-jobs.tsx';
import { DeploymentPage } from './pages/deployment.tsx';
import { DeploymentsPage } from './pages/deployments.tsx';
import { NewDeployment } from './pages/new-deployment.tsx';
import { QueuesPage } from './pages/queues.tsx';
import { SignInPage } from './pages/sign-in.tsx';
import { WorkersPage } from './pages/workers.tsx';
import { readOnlyReason } from './live/session.ts';
import { Header } from './parts/header.tsx';
import { KeysDialog } from './parts/keys-dialog.tsx';
import { StaleNotice } from './parts/stale-notice.tsx';

/** The frame around every page: where one is, the keys, and whether what is shown is up to date. */
export function App() {
  if (!isSessionKnown.value) return null;
  return session.value === undefined ? <SignInPage /> : <Inside />;
}

type Shown = 'keys' | 'new' | undefined;

function Inside() {
  const [place, setPlace] = useState(() => placeOf(window.location.hash));
  const [shown, setShown] = useState<Shown>();
  useEffect(() => {
    const onHash = (): void => {
      takeTokenFromAddress();
      setPlace(placeOf(window.location.hash));
      setShown(undefined);
    };
    window.addEventListener('hashchange', onHash);
    return () => window.removeEventListener('hashchange', onHash);
  }, []);
  useEffect(() => {
    document.title = titleOf(place);
    // Who reads by ear, or by keyboard, is at the top of the new page.
    document.querySelector<HTMLElement>('main')?.focus({ preventScroll: true });
    window.scrollTo(0, 0);
  }, [hashOf(place)]);

  const openNew = (): void => {
    if (readOnlyReason.peek() === undefined) setShown('new');
  };
  useKeys({
    go: { d: to({ page: 'deployments' }), w: to({ page: 'workers' }), q: to({ page: 'queues' }) },
    press: { '?': () => setShown('keys'), n: openNew },
  });

  const close = (): void => setShown(undefined);
  return (
    <>
      <a class="skip" href={hashOf(place)} onClick={skipToMain}>
        Skip to the content
      </a>
      <Header place={place} onKeys={() => setShown('keys')} />
      <StaleNotice />
      <main tabIndex={-1}>
        <Page place={place} onNew={openNew} />
      </main>
      {shown === 'keys' && <KeysDialog onClose={close} />}
      {shown === 'new' && <NewDeployment onClose={close} />}
    </>
  );
}

function Page({ place, onNew }: { readonly place: Place; readonly onNew: () => void }) {
  switch (place.page) {
    case 'deployments':
      return <DeploymentsPage onNew={onNew} />;
    case 'deployment':
      return <DeploymentPage key={place.id} id={place.id} />;
    case 'workers':
      return <WorkersPage />;
    case 'queues':
      return <QueuesPage />;
    case 'dead':
      return <DeadJobsPage key={place.queue} queue={place.queue} />;
    default:
      return place satisfies never;
  }
}

function to(place: Place): () => void {
  return () => {
    window.location.hash = hashOf(place);
  };
}

function skipToMain(event: Event): void {
  event.preventDefault();
  document.querySelector<HTMLElement>('main')?.focus();
}

const TITLES: Readonly<Record<Place['page'], string>> = {
  deployments: 'Deployments',
  deployment: 'Deployment',
  workers: 'Workers',
  queues: 'Queues',
  dead: 'Dead letters',
};

function titleOf(place: Place): string {
  return `${TITLES[place.page]} · Lanewise`;
}
