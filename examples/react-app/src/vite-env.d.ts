/// <reference types="vite/client" />

interface ImportMetaEnv {
  readonly VITE_NIMBUS_URL: string;
  readonly VITE_NIMBUS_PROJECT_ID: string;
  readonly VITE_NIMBUS_WRITE_KEY: string;
}
