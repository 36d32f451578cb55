import { NimbusProvider, useIdentify, usePageViews, useTrack } from '@nimbus-analytics/sdk/react';
import { StrictMode, useState, useSyncExternalStore } from 'react';
import { createRoot } from 'react-dom/client';
import { nimbus } from './nimbus';

/** The path, for an application too small for a router. */
function usePath(): string {
  return useSyncExternalStore(
    (changed) => {
      window.addEventListener('popstate', changed);
      window.addEventListener('navigate', changed);
      return () => {
        window.removeEventListener('popstate', changed);
        window.removeEventListener('navigate', changed);
      };
    },
    () => location.pathname,
  );
}

function go(path: string): void {
  history.pushState({}, '', path);
  window.dispatchEvent(new Event('navigate'));
}

function App() {
  const path = usePath();
  const track = useTrack();
  const [user, setUser] = useState<{ id: string; plan: string }>();
  usePageViews(path);
  useIdentify(user?.id, { plan: user?.plan });
  return (
    <main>
      <h1>{path === '/products' ? 'Products' : 'Home'}</h1>
      <button onClick={() => go(path === '/products' ? '/' : '/products')}>{path === '/products' ? 'Home' : 'Products'}</button>
      {path === '/products' && (
        <button onClick={() => void track('added_to_cart', { product: 'Umbrella', price: 19.9 })}>Add to cart</button>
      )}
      {user ? <button onClick={() => setUser(undefined)}>Log out</button> : <button onClick={() => setUser({ id: 'user_123', plan: 'pro' })}>Log in</button>}
    </main>
  );
}

createRoot(document.getElementById('root') as HTMLElement).render(
  <StrictMode>
    <NimbusProvider tracker={nimbus}>
      <App />
    </NimbusProvider>
  </StrictMode>,
);
