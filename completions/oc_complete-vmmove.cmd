@rem kubectl and oc call this to complete "kubectl vmmove" and "oc vmmove".
@kubectl-vmmove __complete %*
