//! Environments: interpreter probe, plan, wheel layout, generations, receipt, verify.
