// Whether the endpoint's certificate is believed. Compiled when the module is loaded: a script block cannot be asked from the
// thread on which the handshake runs. Written in C# 5, which is what Windows PowerShell 5.1 compiles.

using System;
using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Windrow
{
    public sealed class EndpointTrust
    {
        // One of the two, or none for what the operating system believes.
        private readonly byte[] fingerprint;
        private readonly X509Certificate2Collection authorities;

        public EndpointTrust(byte[] fingerprint, X509Certificate2Collection authorities)
        {
            this.fingerprint = fingerprint;
            this.authorities = authorities;
        }

        public RemoteCertificateValidationCallback Callback
        {
            get { return new RemoteCertificateValidationCallback(Check); }
        }

        private bool Check(object sender, X509Certificate shown, X509Chain chain, SslPolicyErrors errors)
        {
            if (shown == null)
            {
                return false;
            }
            X509Certificate2 certificate = new X509Certificate2(shown);
            if (fingerprint != null)
            {
                DateTime now = DateTime.Now;
                bool valid = certificate.NotBefore <= now && now <= certificate.NotAfter;
                using (SHA256 hash = SHA256.Create())
                {
                    return valid && Same(hash.ComputeHash(certificate.RawData), fingerprint);
                }
            }
            if (authorities == null)
            {
                return errors == SslPolicyErrors.None;
            }
            // The name has to fit; the chain is built anew, from the authorities that were named and from no others.
            if ((errors & ~SslPolicyErrors.RemoteCertificateChainErrors) != SslPolicyErrors.None)
            {
                return false;
            }
            return LeadsToAuthority(certificate, chain);
        }

        private bool LeadsToAuthority(X509Certificate2 certificate, X509Chain shown)
        {
            X509Chain chain = new X509Chain();
            chain.ChainPolicy.RevocationMode = X509RevocationMode.NoCheck;
            chain.ChainPolicy.VerificationFlags = X509VerificationFlags.AllowUnknownCertificateAuthority;
            // Extended key usage serverAuth (RFC 5280 4.2.1.12).
            chain.ChainPolicy.ApplicationPolicy.Add(new Oid("1.3.6.1.5.5.7.3.1"));
            chain.ChainPolicy.ExtraStore.AddRange(authorities);
            if (shown != null)
            {
                foreach (X509ChainElement element in shown.ChainElements)
                {
                    chain.ChainPolicy.ExtraStore.Add(element.Certificate);
                }
            }
            if (!chain.Build(certificate))
            {
                return false;
            }
            // Each link was verified: one of the authorities above the certificate makes it theirs. An unknown root alone,
            // or a chain that ends early, does not.
            for (int place = 1; place < chain.ChainElements.Count; place++)
            {
                foreach (X509Certificate2 authority in authorities)
                {
                    if (Same(chain.ChainElements[place].Certificate.RawData, authority.RawData))
                    {
                        return true;
                    }
                }
            }
            return false;
        }

        private static bool Same(byte[] one, byte[] other)
        {
            if (one.Length != other.Length)
            {
                return false;
            }
            int difference = 0;
            for (int place = 0; place < one.Length; place++)
            {
                difference |= one[place] ^ other[place];
            }
            return difference == 0;
        }
    }
}
