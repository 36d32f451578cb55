import '@fontsource-variable/inter/wght.css';
import './ui/ui.css';
import './shell/shell.css';
import { NimbusError } from '@nimbus-analytics/sdk';
import { QueryClientProvider } from '@tanstack/react-query';
import { RouterProvider } from '@tanstack/react-router';
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { queryClient } from './api';
import { PageNotLoaded } from './shell/pages';
import { router } from './router';
import { start } from './start';

// What a page shows as its failure is no fault of the program's, and nothing for the console.
const onCaughtError = (error: unknown) => {
  if (!(error instanceof NimbusError) && !(error instanceof PageNotLoaded)) console.error(error);
};

// Until the first page is loaded, the outline in index.html stays.
void start().finally(() =>
  createRoot(document.getElementById('root')!, { onCaughtError }).render(
    <StrictMode>
      <QueryClientProvider client={queryClient}>
        <RouterProvider router={router} />
      </QueryClientProvider>
    </StrictMode>,
  ),
);
