export default {
  providers: [
    { domain: process.env.ISSUER!, applicationID: "app" },
    {
      type: "customJwt",
      issuer: "https://keys.inside",
      applicationID: "app",
      jwks: process.env.KEYS!,
      algorithm: "ES256",
    },
  ],
};
